"""What the vault's tests have other processes do: `python -m
tests.spine.vault_work COMMAND [VALUE]`, and the answer as JSON.
"""

from __future__ import annotations

import json
import sys

from mseg_wizard.vault import Secret, Vault

SERVICE = "mseg-wizard-test"
NAMES = [("kitti", "url"), ("wilddash", "password")]


def main() -> None:
    command, value = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    vault = Vault("an-id", service=SERVICE, environment={})
    answer: dict[str, object] = {}
    if command == "put":
        answer["said"] = vault.put("wilddash", "password", Secret(value))
    if command == "wipe":
        wiped = vault.wipe(NAMES)
        answer |= {"removed": wiped.removed, "remains": wiped.remains, "unreached": wiped.unreached}
    secret = vault.get("wilddash", "password")
    answer |= {
        "got": secret.reveal() if secret else None,
        "where": vault.where("wilddash", "password"),
        "state": vault.state(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
