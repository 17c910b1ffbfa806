# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that stand inside an option: both shells hide what the operation names."""

from __future__ import annotations

import contextlib
import json
import typing as t
from unittest import mock

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.parameters import PASS_VARS
from ansible_collections.slipway.delivery.plugins.module_utils.common import module_shell
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context, Operation, Params
from ansible_collections.slipway.delivery.plugins.module_utils.common.spec import Spec
from ansible_collections.slipway.delivery.plugins.plugin_utils.direct import DirectAction

LONG = "pa55\n'word\""


@contextlib.contextmanager
def module_arguments(args: Params) -> t.Iterator[None]:
    """What a module process would have been given, on any ansible-core: 2.19 has a helper, 2.21 shows it on request."""
    if "inject_invocation" in PASS_VARS:
        args = {**args, "_ansible_inject_invocation": True}
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:
        with mock.patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()):
            yield
    else:
        with patch_module_args(args):
            yield


def _secrets(params: Params) -> t.Set[str]:
    value = (params.get("settings") or {}).get("hidden")
    return {value} if isinstance(value, str) and len(value) > 3 else set()


def _shown(params: Params) -> Params:
    settings = params.get("settings") or {}
    return {**params, "settings": {name: "<secret>" if name == "hidden" else settings[name] for name in settings}}


def _run(params: Params, context: Context) -> t.Dict[str, t.Any]:
    context.warn(f"careful with {params['settings']['hidden']}")
    if params["fail"]:
        raise SlipwayError(f"refused {params['settings']['hidden']}", seen=[params["settings"]["hidden"]])
    return {"changed": False, "url": f"http://u:{params['settings']['hidden']}@h/"}


OPERATION = Operation(
    name="hider",
    spec=Spec(options={"settings": {"type": "dict", "required": True}, "fail": {"type": "bool", "default": False}}),
    run=_run,
    secrets=_secrets,
    shown=_shown,
)


class _Task:
    check_mode = False
    diff = False
    action = "hider"

    def __init__(self, args: Params) -> None:
        self.args = args


class _Action(DirectAction):
    operation = OPERATION

    def __init__(self, args: Params) -> None:
        self._task = _Task(args)


def through_module(args: Params, capfd: t.Any, monkeypatch: t.Any) -> t.Tuple[t.Dict[str, t.Any], str]:
    """The answer of the ordinary module, and what it told the target's log."""
    logged: t.List[str] = []
    monkeypatch.setattr(
        module_shell.AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(msg + str(log_args))
    )
    with module_arguments(args), pytest.raises(SystemExit):
        module_shell.run_module(OPERATION)
    return json.loads(capfd.readouterr().out), "\n".join(logged)


@pytest.mark.parametrize("value", [LONG, "x"])
@pytest.mark.parametrize("extra", [{}, {"fail": True}, {"fail": "perhaps"}, {"unknown": 1}])
def test_both_shells_hide_the_same(value: str, extra: Params, capfd: t.Any, monkeypatch: t.Any) -> None:
    args = {"settings": {"hidden": value, "plain": "to be seen"}, **extra}
    answer, logged = through_module(args, capfd, monkeypatch)
    direct = _Action(args)._direct({})
    for shown in (answer, direct):
        assert shown["invocation"]["module_args"]["settings"] == {"hidden": "<secret>", "plain": "to be seen"}
        if len(value) > 3:
            assert value not in str([shown.get("msg"), shown.get("url"), shown.get("warnings"), shown.get("seen")])
            assert "pa55" not in json.dumps(shown)
    assert "'hidden': 'x'" not in logged and "pa55" not in logged
    if not {"fail", "unknown"} & set(extra):
        assert "to be seen" in logged
    for key in ("msg", "url", "seen"):
        assert answer.get(key) == direct.get(key) or "unknown" in extra


def test_an_operation_without_hidden_parts_answers_as_before(capfd: t.Any) -> None:
    plain = Operation("plain", Spec(options={"name": {"type": "str"}}), lambda params, context: {"changed": False})
    with module_arguments({"name": "webapi"}), pytest.raises(SystemExit):
        module_shell.run_module(plain)
    assert json.loads(capfd.readouterr().out)["invocation"] == {"module_args": {"name": "webapi"}}
