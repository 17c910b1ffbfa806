# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of roles share: a play of one role on this machine, and certificates."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from warm_playbook import warm

COLLECTIONS = Path(__file__).resolve().parents[2] / ".work" / "collections"
_RECAP = re.compile(r"^(?:localhost|machine)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)", re.MULTILINE)


@dataclass
class Played:
    """One run of ansible-playbook: what it printed, and how many tasks changed something or failed."""

    output: str
    changed: int
    failed: int

    @property
    def flat(self) -> str:
        return " ".join(self.output.split())

    def was_run(self, task: str) -> bool:
        """Whether a task of this name did something, skipped ones apart."""
        part = self.output.partition(f"TASK [{task}]")[2].partition("\nTASK [")[0]
        return "changed: [localhost]" in part or "ok: [localhost]" in part


def play_role(
    folder: Path,
    role: str,
    variables: t.Mapping[str, t.Any],
    *arguments: str,
    ok: bool = True,
    reached_by: t.Mapping[str, t.Any] | None = None,
) -> Played:
    """The role once, `folder` holding what is written for that: on this machine, or on one that is `reached_by` variables."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    name = "machine" if reached_by else "localhost"
    inventory = {"all": {"hosts": {name: {**(reached_by or local)}}}}
    folder.mkdir(exist_ok=True)
    book = [
        {
            "name": role,
            "hosts": name,
            "gather_facts": False,
            "tasks": [{"name": role, "ansible.builtin.include_role": {"name": f"slipway.delivery.{role}"}}],
        }
    ]
    (folder / "inventory.json").write_text(json.dumps(inventory))
    (folder / "role.yml").write_text(json.dumps(book))
    (folder / "vars.json").write_text(json.dumps(variables))
    python = Path(sys.executable)
    command = [str(python.parent / "ansible-playbook"), "-i", f"{folder}/inventory.json", "-e", f"@{folder}/vars.json"]
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
    }
    code, output = warm(python).run([*command, *arguments, str(folder / "role.yml")], folder, env, 180)
    recap = _RECAP.search(output)
    assert recap, output
    assert (code == 0) is ok, output
    return Played(output, int(recap.group(1)), int(recap.group(2)))


def authority(folder: Path) -> None:
    """`ca.pem` and its key in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    name = ["-subj", "/CN=role test authority", "-addext", "basicConstraints=critical,CA:TRUE"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl([*new, *name, "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")])


def certificate(folder: Path, name: str, address: str = "127.0.0.1") -> tuple[str, str]:
    """Paths of a certificate for `address` and its key, signed by the authority in `folder`; good for clients as well."""
    key, request, cert, extra = (folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
    extra.write_text(f"subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth,clientAuth\n")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"]
    openssl([*new, "-keyout", str(key), "-out", str(request)])
    sign = [
        "openssl",
        "x509",
        "-req",
        "-in",
        str(request),
        "-CA",
        str(folder / "ca.pem"),
        "-CAkey",
        str(folder / "ca.key"),
    ]
    openssl([*sign, "-CAcreateserial", "-days", "2", "-extfile", str(extra), "-out", str(cert)])
    return str(cert), str(key)


def openssl(command: t.Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
