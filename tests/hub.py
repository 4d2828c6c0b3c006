"""A hub like Hugging Face's on this machine: it lists a folder of files, and leads to where they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mseg_wizard.http.hub import HUB, listing_url
from tests.http.faulty_server import Answer, Asked, Plan, page, redirect

SITE, STORE = "https://groups.csail.mit.edu", "https://cas.example"
LISTING = listing_url("1aurent/ADE20K", "data").removeprefix(HUB)
RESOLVE = "/datasets/1aurent/ADE20K/resolve/main/data/"
TOKEN = "hf_Abc123secret456"


class Hub:
    """A hub that lists a folder's files and leads to where they are; where it has a token, only to who sends that."""

    def __init__(self, files: list[Path], token: str = "") -> None:
        self.files, self.token = {file.name: file.read_bytes() for file in files}, token

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{"type": "directory", "path": "data/more"}]
        for name, body in self.files.items():
            lfs = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body)}
            rows.append({"type": "file", "path": f"data/{name}", "size": len(body), "oid": "0" * 40, "lfs": lfs})
        return rows

    def answer(self, asked: Asked) -> Answer:
        if self.token and asked.headers.get("Authorization") != f"Bearer {self.token}":
            return page("Unauthorized", status=401)
        if asked.path == LISTING:
            return Answer(body=json.dumps(self.rows()).encode(), kind="application/json", ranges=False)
        return redirect(f"{STORE}/{asked.path.rpartition('/')[2]}?X-Amz-Signature=abc")

    def plans(self) -> dict[str, Plan]:
        return dict.fromkeys([LISTING, *(RESOLVE + name for name in self.files)], self.answer)

    def stored(self) -> dict[str, Plan]:
        """The files at the server that it leads to."""
        return {f"/{name}": body for name, body in self.files.items()}
