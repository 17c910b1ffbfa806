# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker-py as Slipway uses it, loaded here and nowhere else. What is imported from here raises ImportError where it is missing.

docker-py loads paramiko wherever that is installed, though only `ssh://` addresses need it: 0.15 of the 0.25 seconds of processor
that docker-py 7.2 takes to load (paramiko 5.1), in every run of an ordinary module. So paramiko waits until it is used.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import types
import typing as t


class _WhenUsed(types.ModuleType):
    """Stands for a module until something of it is asked for; loads it then, and gives it its place if it still has that."""

    def __getattr__(self, name: str) -> t.Any:  # called for what is not in here yet
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        self.__dict__.update(module.__dict__)
        return getattr(module, name)


@contextlib.contextmanager
def loaded_when_used(name: str) -> t.Iterator[None]:
    """Whoever imports the top-level module `name` in the body gets it loaded at its first use; all others import it as ever.

    Nothing is put off that is loaded already, or not installed.
    """
    if name in sys.modules or importlib.util.find_spec(name) is None:
        yield
        return
    waiting = sys.modules[name] = _WhenUsed(name)
    try:
        yield
    finally:
        if sys.modules.get(name) is waiting:
            del sys.modules[name]


try:
    with loaded_when_used("paramiko"):
        from docker import APIClient, __version__, auth
        from docker.errors import APIError, DockerException, InvalidVersion, TLSParameterError
        from docker.tls import TLSConfig
        from docker.utils.build import exclude_paths, tar
except ImportError:  # Operation.requires reports it
    pass

__all__ = (
    "APIClient",
    "APIError",
    "DockerException",
    "InvalidVersion",
    "TLSConfig",
    "TLSParameterError",
    "__version__",
    "auth",
    "exclude_paths",
    "tar",
)
