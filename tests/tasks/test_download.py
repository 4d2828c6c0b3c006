"""What a download leaves to be known: a server that doesn't
say how long its file is is named wherever a person looks.
"""

from __future__ import annotations

from pathlib import Path

from mseg_wizard.context import Options
from mseg_wizard.practice.world import World
from mseg_wizard.reporting.facts import gather
from mseg_wizard.standing.remarks import notes_of, notes_summary
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.download import download
from tests.http.faulty_server import Answer, serving
from tests.registered import archive, opened, run

FILE = "sun_rgbd.tgz"


def test_what_a_server_did_not_say_is_noted_and_stands_in_status_and_report(
    practice_world: World, tmp_path: Path
) -> None:
    body = (practice_world.mirror / FILE).read_bytes()
    with serving({f"/data2/{FILE}": Answer(body=body, framing="close")}) as server:
        ctx = opened(
            practice_world, tmp_path / "d", options=Options(routes=(f"http://cvgl.stanford.edu={server.url}",))
        )
        run(download(ctx, archive(ctx, FILE)))
    doubt = (
        f"http://cvgl.stanford.edu/data2/{FILE} did not say how long it is: only unpacking it can show whether it "
        "is whole"
    )
    assert ctx.notes == [f"{FILE}: {doubt}"]
    assert f"{FILE}: {doubt}" in notes_of(ctx.steps, ctx.store.journal)
    assert "1 archive that no length proves whole" in notes_summary(ctx.steps, ctx.store.journal, ctx.destination)
    assert [source.known_by for source in gather(ctx).sources] == [f"its content: no hash is published; {doubt}"]
    ctx.close()
    again = Store(tmp_path / "d")
    record = again.archive(FILE)
    assert record is not None
    assert record.doubt == doubt, "it is forgotten at the next start"
    again.close()
