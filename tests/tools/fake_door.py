#!/usr/bin/env python3
# Answers like the door of a node, for a cluster that there is not: to look at pp-top and the page with many nodes.
#
#   fake_door.py NODES [PORT] [--page runtime/page.html]     prints its address; figures move with the clock
#   fake_door.py NODES --json                                prints one status.json
import http.server, json, math, random, sys, time

START = time.time()
nodes_wanted = int(sys.argv[1])


def status():
    now = time.time()
    age = now - START + 95
    draw = random.Random(7)
    nodes = []
    for i in range(nodes_wanted):
        workers = draw.choice([4, 8, 8, 16, 64])
        pace = draw.uniform(0.6, 1.0)
        phase = draw.uniform(0, 6.28)
        swing = 0.5 + 0.5 * math.sin(age / 7 + phase)
        busy = min(workers, int(workers * (0.35 + 0.8 * swing * pace)))
        state = "gone" if i % 40 == 39 else "suspect" if i % 50 == 23 else "alive"
        nodes.append({"id": "%08x" % draw.getrandbits(32), "self": i == 0, "state": state,
                      "name": "node%03d.rack%d.example:%d" % (i, i // 16, 4000 + draw.randrange(9999)),
                      "address": "192.0.2.%d:7400" % (i % 250 + 1), "provider": "" if i == 0 else "tcp;ofi_rxm" if i % 3 else "shm",
                      "workers": workers, "busy": busy, "queued": int(40 * swing) if i % 5 == 0 else int(3 * swing),
                      "jobs": int(workers * pace * 810 * age), "busy_time": workers * pace * age * 0.93,
                      "stolen": 0 if i == 0 else int(workers * pace * 620 * age), "lent": int(age * 48000 * pace) if i == 0 else 0,
                      "memory": int(draw.uniform(80e6, 3e9)), "round_trip": draw.uniform(20e-6, 4e-3)})
    names = [("render::tile(Scene const&, Tile)", 0.5, 4e-3, 2e-2), ("sum_primes", 0.25, 3e-4, 9e-4), ("fib", 0.15, 2e-6, 4e-5),
             ("load_block", 0.08, 8e-2, 1.9), ("checksum(std::vector<std::byte> const&)", 0.02, 5e-5, 8e-4)]
    present = [n for n in nodes if n["state"] != "gone"]
    busy = sum(n["busy"] for n in present)
    total = sum(n["jobs"] for n in nodes)
    functions = [{"name": n, "runs": int(total * s), "failed": int(age / 9) if i == 3 else 0, "running": int(busy * s),
                  "time": sum(x["busy_time"] for x in nodes) * s, "p50": p50, "p99": p99} for i, (n, s, p50, p99) in enumerate(names)]
    for i, n in enumerate(nodes):
        tilt = [s * (3 if (int(age / 12) + i // 3) % 5 == k else 1) for k, (_, s, _, _) in enumerate(names)]
        n["times"] = [0 if n["state"] == "gone" else n["busy_time"] * t for t in tilt]
        n["now"] = [int(n["busy"] * t / sum(tilt)) for t in tilt]
    kinds = [("joined", "%s joined: 192.0.2.9:7400, 8 workers, over tcp;ofi_rxm"), ("failed", "load_block (attempt 1): no such block: 4711"),
             ("suspected", "%s is silent for more than 1000 ms: suspected, and taken for dead unless it objects"),
             ("died", "%s is gone: its process has ended without a goodbye"), ("alive", "%s objects: it is alive"),
             ("refused", "refused 192.0.2.77: it has another key: 5f2a... here, 9be0... there")]
    events = []
    for i in range(30):
        kind, text = kinds[(i * 5) % len(kinds)]
        if "%s" in text:
            text = text % nodes[i % len(nodes)]["name"]
        events.append({"number": i + 1, "time_ms": int((now - (30 - i) * 3) * 1000), "kind": kind, "text": text})
    opened = max(0, int(total * 1.4 - total * age / 200))
    return {"pp": "0.1.0", "node": nodes[0]["name"], "id": nodes[0]["id"], "role": "driver", "time_ms": int(now * 1000), "elapsed": age,
            "progress": {"done": total, "open": opened, "elements": total + opened, "elements_done": total},
            "totals": {"workers": sum(n["workers"] for n in present), "busy": busy, "queued": sum(n["queued"] for n in present), "jobs": total,
                       "stolen": sum(n["stolen"] for n in nodes), "lent": nodes[0]["lent"], "lost": 12, "late": 1, "refused": 2, "misbehaved": 0},
            "nodes": nodes, "running": [{"worker": 0, "function": "sum_primes", "since": 0.01}], "functions": functions, "events": events}


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        body, kind = json.dumps(status()).encode(), "application/json"
        if path == "/":
            page = sys.argv[sys.argv.index("--page") + 1]
            body, kind = open(page, "rb").read().replace(b"NONCE_OF_THIS_ANSWER", b"abc"), "text/html; charset=utf-8"
        self.send_response(200)
        if path == "/":
            self.send_header("Content-Security-Policy",
                             "default-src 'none'; script-src 'nonce-abc'; style-src 'nonce-abc'; connect-src 'self'; img-src data:")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if "--json" in sys.argv:
    print(json.dumps(status()))
else:
    port = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2].isdigit() else 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Door)
    print("http://127.0.0.1:%d/?token=x" % server.server_port, flush=True)
    server.serve_forever()
