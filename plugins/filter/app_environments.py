# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an app runs, read from its file as it was written: before an environment is chosen nothing in it can be templated."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

try:
    import yaml
except ImportError:  # ansible-core needs it too
    yaml = None


def app_environments(text: str) -> t.List[str]:
    """`app.environments` of an app file's text, or an empty list. AnsibleFilterError for text that is not YAML."""
    try:
        found = yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise AnsibleFilterError(f"The app file is not YAML: {error}") from error
    app = found.get("app") if isinstance(found, dict) else None
    environments = app.get("environments") if isinstance(app, dict) else None
    return [str(name) for name in environments] if isinstance(environments, list) else []


def _loader() -> t.Any:
    """YAML's safe loader that passes over tags of Ansible's own, such as !vault: their values are not looked at."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    return Loader


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"app_environments": app_environments}
