# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment and the apps that a command is for, from what was said on its command line; all that is wrong at once."""

from __future__ import annotations

import typing as t

try:
    import yaml
except ImportError:  # ansible-core needs it too
    yaml = None

Names = t.Sequence[str]


def command_scope(
    files: t.Mapping[str, str],
    said: t.Mapping[str, t.Any],
    needs: Names,
    environments: Names,
    apps_dir: str,
    looked_in: Names,
) -> t.Dict[str, t.Any]:
    """`{env, apps, apps_dir, places, findings}`, to be used when there are no `findings` (sentences for the user).

    `files` are the texts of the app files by app name, read as they were written: before an environment is chosen nothing in
    them can be templated. `said` has what of env, from, to and app was given, `needs` which of them the command needs. An app
    that was given as nothing (`-e app=$APP` where APP is not set) is a wrong one: it must not become all apps.
    `places` says where each app runs, in the order of promotion. An app's first environment is where its images are made.
    """
    findings = _environment_findings(said, needs, environments)
    if not apps_dir:
        where = ", ".join(looked_in)
        text = f"There is no apps folder: looked for {where}. Start the command where apps/ lies, or say -e apps_dir=<folder>."
        return _scope("", [], apps_dir, {}, [*findings, text])
    app = str(said.get("app") or "")
    if app not in files if said.get("app") is not None else "app" in needs:
        known = " | ".join(sorted(files)) or "none - the folder has no .yml file"
        who = f"There is no app '{app}'" if app else "No app was named"
        return _scope("", [], apps_dir, {}, [*findings, f"{who} in {apps_dir}: say -e app=<{known}>."])
    places, unread = _places({name: files[name] for name in ([app] if app else files)}, apps_dir)
    findings += unread
    if findings:
        return _scope("", [], apps_dir, places, findings)
    env = str(said["to"] if "to" in needs else said.get("env") or (places[app][0] if app else ""))
    apps = sorted(name for name, where in places.items() if env in where)
    return _scope(env, apps, apps_dir, places, _place_findings(app, env, apps, places, environments, apps_dir))


def _scope(env: str, apps: Names, apps_dir: str, places: t.Mapping[str, Names], findings: Names) -> t.Dict[str, t.Any]:
    return {"env": env, "apps": list(apps), "apps_dir": apps_dir, "places": dict(places), "findings": list(findings)}


def _environment_findings(said: t.Mapping[str, t.Any], needs: Names, environments: Names) -> t.List[str]:
    known = " | ".join(environments) or "none - the inventory has no group whose hosts have a registry"
    findings = []
    for option in ("env", "from", "to"):
        name = str(said.get(option) or "")
        if (option in needs or (option == "env" and name)) and name not in environments:
            what = f"There is no environment '{name}'" if name else "No environment was named"
            findings.append(f"{what}: say -e {option}=<{known}>.")
    return findings


def _places(files: t.Mapping[str, str], apps_dir: str) -> t.Tuple[t.Dict[str, t.List[str]], t.List[str]]:
    """`app.environments` of each file, and what is wrong with the files that have none."""
    places, findings = {}, []
    for name in sorted(files):
        try:
            places[name] = _environments_of(files[name])
        except yaml.YAMLError as error:
            findings.append(f"{apps_dir}/{name}.yml: {_reason(error)}.")
            continue
        if not places[name]:
            findings.append(
                f"{apps_dir}/{name}.yml: app.environments is missing; it lists where the app runs, in the order of promotion."
            )
    return places, findings


def _reason(error: t.Any) -> str:
    """What YAML says, without the line that it quotes: there may be a secret in it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = [text for text in (getattr(error, "context", None), getattr(error, "problem", None)) if text]
    return f"not YAML{where}: {', '.join(said) or 'characters that it does not take'}"


def _environments_of(text: str) -> t.List[str]:
    found = yaml.load(text, Loader=_loader())
    app = found.get("app") if isinstance(found, dict) else None
    environments = app.get("environments") if isinstance(app, dict) else None
    return [str(name) for name in environments] if isinstance(environments, list) else []


def _place_findings(
    app: str, env: str, apps: Names, places: t.Mapping[str, Names], environments: Names, apps_dir: str
) -> t.List[str]:
    if not apps and app:
        return [f"The app '{app}' does not run in '{env}': its file names {', '.join(places[app])}."]
    if not apps and env:
        return [f"No app in {apps_dir} runs in '{env}'."]
    if env and env not in environments:
        known = " | ".join(environments) or "none"
        return [f"'{env}' is no environment of the inventory: say -e env=<{known}>."]
    return []


def _loader() -> t.Any:
    """YAML's safe loader that passes over tags of Ansible's own, such as !vault: their values are not looked at."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    return Loader


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"command_scope": command_scope}
