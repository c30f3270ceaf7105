"""Load from many machines: one master beside the server, a worker on each client host.

Locust's master and workers carry the messages (`relay`), and nothing else: what they carry is sealed with a shared
token (`seal`), has a fixed schema (`messages`) and is read by `master` and `worker`, ordinary programs without
gevent. A worker runs the same load generators as a run on one machine does; the master adds up what they counted
(`merging`). To the rest of http-speedup a fleet is a load generator whose command is `ask`.
"""
