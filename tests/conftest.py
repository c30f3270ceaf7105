"""What holds for all tests: tools are found where the doctor puts them, and a slow machine is no reason to fail."""

from __future__ import annotations

import logging
import os
import resource
import signal

import pytest
from hypothesis import HealthCheck, settings

from runners.system.processes import many_files
from runners.tools.find import this_host, tool_environment

settings.register_profile("unhurried", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

logging.getLogger().setLevel(logging.INFO)  # caplog hears what a person would be told

os.environ |= tool_environment({}, this_host())

# Tests open 1,100 connections at once, but most shells allow 1,024 files.
resource.setrlimit(resource.RLIMIT_NOFILE, many_files(*resource.getrlimit(resource.RLIMIT_NOFILE)))

# A shell that starts the tests in the background lets them ignore Ctrl-C, nohup a hangup; servers would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

pytest.register_assert_rewrite("tests.support")  # tests that several modules import say what they compared
