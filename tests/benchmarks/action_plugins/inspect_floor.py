# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that asking an engine can cost inside Ansible: one inspect by docker-py in the controller's worker."""

from __future__ import annotations

import docker
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        client = docker.APIClient(base_url=self._task.args["docker_host"], version="1.41", timeout=10)
        result.update(changed=False, id=client.inspect_container(self._task.args["name"])["Id"])
        client.close()
        return result
