"""Load from many machines: one master beside the server, and a worker on each client host.

Locust's master and workers only carry the messages (`relay`). The messages are sealed with a shared token (`seal`),
have a fixed schema (`messages`) and are read by `master` and `worker`, ordinary programs without gevent. A worker runs
the same load generators as a run on one machine; the master adds up what they counted (`merging`). To the rest of
http-speedup, a fleet is a load generator whose command is `ask`.
"""
