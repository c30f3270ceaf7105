"""What holds for all tests: tools are found where the doctor puts them, and a slow machine is no reason to fail."""

from __future__ import annotations

import logging
import os
import signal

from hypothesis import HealthCheck, settings

from runners.tools.find import this_host, tool_environment

settings.register_profile("unhurried", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

logging.getLogger().setLevel(logging.INFO)  # caplog hears what a person would be told

os.environ |= tool_environment({}, this_host())

# A shell that starts the tests in the background lets them ignore Ctrl-C, and servers would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
