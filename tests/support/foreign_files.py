"""Files of other programs, in their formats: written by us, with numbers that nobody measured but that agree."""

from __future__ import annotations

import json

WRK = """\
Running 10s test @ http://127.0.0.1:8080/
  4 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.60ms    0.40ms  21.10ms   91.00%
    Req/Sec    10.05k   312.10    11.00k    70.00%
  Latency Distribution
     50%    1.52ms
     75%    1.71ms
     90%    2.04ms
     99%    3.90ms
  400400 requests in 10.01s, 58.04MB read
Requests/sec:  40000.00
Transfer/sec:      5.80MB
"""

WRK2 = """\
Running 20s test @ http://127.0.0.1:8080/
  2 threads and 100 connections
  Thread calibration: mean lat.: 1.300ms, rate sampling interval: 10ms
  Thread calibration: mean lat.: 1.310ms, rate sampling interval: 10ms
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms  500.00us   9.50ms   80.00%
    Req/Sec     1.05k   100.00     1.90k    75.00%
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%    1.10ms
 90.000%    1.80ms
 99.000%    3.00ms
 99.900%    6.00ms
 99.999%    9.40ms
100.000%    9.51ms

#[Mean    =        1.200, StdDeviation   =        0.500]
#[Max     =        9.500, Total count    =        19900]
----------------------------------------------------------
  40000 requests in 20.00s, 5.80MB read
Requests/sec:   2000.00
Transfer/sec:    296.88KB
"""

TECHEMPOWER_RAW = f"""\
---------------------------------------------------------
 Running Primer plaintext
 wrk -H 'Host: tfb-server' --latency -d 5 -c 8 --timeout 8 -t 8 http://tfb-server:8080/plaintext
---------------------------------------------------------
{WRK}
---------------------------------------------------------
 Concurrency: 256 for plaintext
 wrk -H 'Connection: keep-alive' -d 15 -c 256 --timeout 8 -t 8 http://tfb-server:8080/plaintext -s pipeline.lua -- 16
---------------------------------------------------------
Running 15s test @ http://tfb-server:8080/plaintext
  8 threads and 256 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.90ms    1.10ms  40.00ms   80.00%
    Req/Sec   125.00k     3.00k  140.00k    70.00%
  15000000 requests in 15.00s, 1.77GB read
Requests/sec: 1000000.00
Transfer/sec:    120.80MB
STARTTIME 1750000000
ENDTIME 1750000015
"""

TECHEMPOWER = {
    "name": "An invented round",
    "duration": 15,
    "concurrencyLevels": [64, 512],
    "pipelineConcurrencyLevels": [256, 1024],
    "queryIntervals": [1, 20],
    "frameworks": ["alpha", "beta", "gamma"],
    "rawData": {
        "json": {
            "alpha": [
                {"latencyAvg": "640.00us", "latencyStdev": "200.00us", "latencyMax": "9.10ms",
                 "totalRequests": 1500000, "startTime": 1750000000, "endTime": 1750000015},
                {"latencyAvg": "4.10ms", "latencyStdev": "1.00ms", "latencyMax": "60.00ms",
                 "totalRequests": 1875000, "startTime": 1750000020, "endTime": 1750000035, "timeout": 3, "5xx": 2},
            ],
            "gamma": [{"latencyAvg": "1.00ms", "totalRequests": 9, "startTime": 1, "endTime": 2}],
        },
        "plaintext": {
            "beta": [
                {"latencyAvg": "3.90ms", "latencyStdev": "1.00ms", "latencyMax": "40.00ms",
                 "totalRequests": 15000000, "startTime": 1750000100, "endTime": 1750000115},
                {},
            ],
        },
        "query": {"alpha": [{}, {"latencyAvg": "10.20ms", "latencyMax": "80.00ms", "totalRequests": 750000,
                                 "startTime": 1750000200, "endTime": 1750000215}]},
    },
    "failed": {"json": ["gamma"], "plaintext": []},
}  # fmt: skip

BENCHMARKER = {
    "metrics": [
        {"level": 64, "framework_id": 7, "label": label, "value": value}
        for label, value in {
            "total_requests_per_s": 40000.0, "total_requests": 600000, "duration_ms": 15000000,
            "average_latency": 1600.5, "minimum_latency": 12, "maximum_latency": 21000, "percentile_50": 1500,
            "percentile_99": 3900.333, "standard_deviation": 300, "total_bytes_received": 91200000.333,
            "socket_read_errors": 0, "http_errors": 0, "request_timeouts": 0,
        }.items()
    ] + [
        {"level": 256, "framework_id": 7, "label": "total_requests_per_s", "value": 41000},
        {"level": 256, "framework_id": 7, "label": "socket_connection_errors", "value": 0.3333},
        {"level": 64, "framework_id": 999, "label": "total_requests_per_s", "value": 1},
    ],
    "frameworks": [{"id": 7, "version": 1.2, "label": "alpha", "language": "nim", "website": "https://example.org"}],
    "languages": [{"label": "nim", "version": "2.2"}],
    "updated_at": "2026-04-15 16:36:50 UTC",
    "hardware": {"cpus": 8, "memory": 7733008, "cpu_name": "An invented processor"},
}  # fmt: skip

HTTPARENA_RESULT = {
    "framework": "alpha", "language": "C", "rps": 500000, "avg_latency": "1.02ms", "p99_latency": "4.10ms",
    "cpu": "1200.5%", "memory": "120MiB", "connections": 512, "threads": 64, "duration": "5s", "pipeline": 1,
    "bandwidth": "70.10MB/s", "reconnects": 0, "status_2xx": 2500000, "status_3xx": 0, "status_4xx": 0,
    "status_5xx": 0,
}  # fmt: skip
HTTPARENA = {
    "framework": "alpha",
    "results": {
        "baseline-512": HTTPARENA_RESULT,
        "pipelined-512": {**HTTPARENA_RESULT, "rps": 8000000, "status_2xx": 40000000, "pipeline": 16},
        "limited-conn-512": {**HTTPARENA_RESULT, "rps": 300000, "status_2xx": 1500000, "reconnects": 150000},
    },
}

OHA = """\
Summary:
  Success rate:\t100.00%
  Total:\t10.0000 secs
  Slowest:\t0.0211 secs
  Fastest:\t0.0002 secs
  Average:\t0.0016 secs
  Requests/sec:\t40006.4000

  Total data:\t1.91 MiB
  Size/request:\t5 B
  Size/sec:\t195.31 KiB

Response time histogram:
  0.000 sec [1]      |
  0.002 sec [399900] |■■■■■■■■■■■■■■■■
  0.021 sec [99]     |

Response time distribution:
  10.00% in 0.0011 secs
  50.00% in 0.0015 secs
  90.00% in 0.0020 secs
  99.00% in 0.0039 secs
  99.90% in 0.0080 secs

Details (average, fastest, slowest):
  DNS+dialup:\t0.0010 secs, 0.0004 secs, 0.0022 secs
  DNS-lookup:\t0.0000 secs, 0.0000 secs, 0.0001 secs

Status code distribution:
  [200] 400000 responses

Error distribution:
  [64] aborted due to deadline
"""

OHA_JSON = {
    "summary": {"successRate": 1.0, "total": 10.0, "slowest": 0.0211, "fastest": 0.0002, "average": 0.0016,
                "requestsPerSec": 40006.4, "totalData": 2000000, "sizePerRequest": 5, "sizePerSec": 200000.0},
    "responseTimeHistogram": {"0.0002": 1, "0.0211": 399999},
    "latencyPercentiles": {"p10": 0.0011, "p50": 0.0015, "p90": 0.002, "p99": 0.0039, "p99.9": 0.008, "p99.99": None},
    "statusCodeDistribution": {"200": 400000},
    "errorDistribution": {"aborted due to deadline": 64},
}  # fmt: skip

H2LOAD = """\
starting benchmark...
spawning thread #0: 32 total client(s). Timing-based test with 0s of warm-up time and 10s of main duration.
spawning thread #1: 32 total client(s). Timing-based test with 0s of warm-up time and 10s of main duration.
Application protocol: http/1.1

finished in 10.12s, 40000.00 req/s, 5.80MB/s
requests: 400000 total, 400064 started, 400000 done, 400000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 400000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 58.00MB (60800000) total, 40.00MB (41943040) headers (space savings 0.00%), 1.91MB (2000000) data
                     min         max         mean         sd        +/- sd
time for request:      110us     21.10ms      1.60ms       400us    91.00%
time for connect:       20us       300us       100us        20us    70.00%
time to 1st byte:      400us      2.00ms       900us       100us    70.00%
req/s           :     610.00      640.00      625.00        9.00    70.00%
"""

HEY = """\

Summary:
  Total:\t10.0000 secs
  Slowest:\t0.0211 secs
  Fastest:\t0.0002 secs
  Average:\t0.0016 secs
  Requests/sec:\t40000.0000
  
  Total data:\t2000000 bytes
  Size/request:\t5 bytes

Response time histogram:
  0.000 [1]\t|
  0.002 [399900]\t|■■■■■■■■■■■■■■■■
  0.021 [99]\t|


Latency distribution:
  10% in 0.0011 secs
  50% in 0.0015 secs
  90% in 0.0020 secs
  99% in 0.0039 secs
  0% in 0.0000 secs

Details (average, fastest, slowest):
  DNS+dialup:\t0.0000 secs, 0.0002 secs, 0.0211 secs
  resp read:\t0.0000 secs, 0.0000 secs, 0.0010 secs

Status code distribution:
  [200]\t399990 responses
  [503]\t10 responses

Error distribution:
  [4]\tGet "http://127.0.0.1:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)
  [1]\tGet "http://127.0.0.1:8080/": EOF
"""  # noqa: W293 - hey prints it so

BOMBARDIER = """\
Bombarding http://127.0.0.1:8080/ for 10s using 64 connection(s)
[==================================================================] 10s
Done!
Statistics        Avg      Stdev        Max
  Reqs/sec     40100.00    1200.00   45000.00
  Latency        1.60ms   400.00us    21.10ms
  Latency Distribution
     50%     1.52ms
     75%     1.71ms
     90%     2.04ms
     99%     3.90ms
  HTTP codes:
    1xx - 0, 2xx - 400000, 3xx - 0, 4xx - 0, 5xx - 0
    others - 0
  Throughput:     9.10MB/s
"""

BOMBARDIER_JSON = {
    "spec": {"numberOfConnections": 64, "testType": "timed", "testDurationSeconds": 10, "method": "GET",
             "url": "http://127.0.0.1:8080/", "rate": 2000},
    "result": {"bytesRead": 3040000, "bytesWritten": 1000000, "timeTakenSeconds": 10.0, "req1xx": 0, "req2xx": 20000,
               "req3xx": 0, "req4xx": 0, "req5xx": 0, "others": 0,
               "latency": {"mean": 1200.5, "stddev": 300.1, "max": 9000, "percentiles": {"50": 1100, "99": 3000}},
               "rps": {"mean": 2000.1, "stddev": 20.0, "max": 2100.0}},
}  # fmt: skip

K6 = """\
     execution: local
        script: load.js
        output: -

     scenarios: (100.00%) 1 scenario, 64 max VUs, 40s max duration (incl. graceful stop):
              * default: 64 looping VUs for 10s (gracefulStop: 30s)

running (10.0s), 00/64 VUs, 100000 complete and 0 interrupted iterations
default \u2713 [======================================] 64 VUs  10s

     data_received..................: 15 MB  1.5 MB/s
     http_req_blocked...............: avg=3.2\u00b5s   min=622ns    med=953ns    max=16.44ms
     http_req_duration..............: avg=4.05ms   min=349.31\u00b5s med=3.55ms   max=35.13ms p(90)=7.02ms  p(95)=8.88ms
       { expected_response:true }...: avg=4.05ms   min=349.31\u00b5s med=3.55ms   max=35.13ms p(90)=7.02ms  p(95)=8.88ms
     http_req_failed................: 0.00%  0 out of 100000
     http_reqs......................: 100000 9990.5/s
     vus............................: 64     min=64         max=64
"""

K6_ARRIVALS = K6.replace(
    "* default: 64 looping VUs for 10s (gracefulStop: 30s)",
    "* default: 10000.00 iterations/s for 10s (maxVUs: 64-200, gracefulStop: 30s)",
)

K6_JSON = {
    "metrics": {
        "http_reqs": {"count": 100000, "rate": 9990.5},
        "http_req_duration": {"avg": 4.05, "min": 0.35, "med": 3.55, "max": 35.13, "p(90)": 7.02, "p(95)": 8.88},
        "http_req_failed": {"passes": 2, "fails": 99998, "value": 0.00002},
        "vus_max": {"value": 64, "min": 64, "max": 64},
    }
}

FILES: dict[str, tuple[str, bytes]] = {  # name -> its format, and its content
    "wrk.txt": ("wrk", WRK.encode()),
    "wrk2.txt": ("wrk", WRK2.encode()),
    "raw.txt": ("wrk", TECHEMPOWER_RAW.encode()),
    "results.json": ("techempower", json.dumps(TECHEMPOWER).encode()),
    "data.json": ("the-benchmarker", json.dumps(BENCHMARKER).encode()),
    "arena.json": ("httparena", json.dumps(HTTPARENA).encode()),
    "arena-list.json": ("httparena", json.dumps([HTTPARENA_RESULT]).encode()),
    "arena-result.json": ("httparena", json.dumps(HTTPARENA_RESULT).encode()),
    "oha.txt": ("oha", OHA.encode()),
    "oha.json": ("oha", json.dumps(OHA_JSON).encode()),
    "h2load.txt": ("h2load", H2LOAD.encode()),
    "hey.txt": ("hey", HEY.encode()),
    "bombardier.txt": ("bombardier", BOMBARDIER.encode()),
    "bombardier.json": ("bombardier", json.dumps(BOMBARDIER_JSON).encode()),
    "k6.txt": ("k6", K6.encode()),
    "k6-arrivals.txt": ("k6", K6_ARRIVALS.encode()),
    "k6.json": ("k6", json.dumps(K6_JSON).encode()),
}
