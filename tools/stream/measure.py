#!/usr/bin/env python3
"""How fast the worker is on a real Kafka on this machine: one line of JSON for each run.

    tools/stream/measure.py SCENARIO... --catalog FILE --listings FILE [--nodes 1|3] [--count N] [--work DIR]

Scenarios: text (with and without transactions, alternating), latency, photos, cached, memory, photo_memory, two, ten_times, million,
peer, withdrawal, restore.
Kafka is started by `cargo xtask kafka up` for each scenario and taken down after it; binaries are built first, the worker with the
feature that lets it do without transactions. Run nothing else beside it, and read times as those of this machine.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target/measure"
TOUCHSTONE = TARGET / "release/touchstone"
BASE_PORT = 28092
TICK = os.sysconf("SC_CLK_TCK")


def run(*command, **more):
    return subprocess.run([str(part) for part in command], check=True, text=True, **more)


def tell(**figures):
    print(json.dumps(figures), flush=True)


class Cluster:
    def __init__(self, args):
        self.folder = args.work / "kafka"
        self.nodes = args.nodes

    def __enter__(self):
        command = ["cargo", "xtask", "kafka", "up", "--nodes", self.nodes]
        command += ["--dir", self.folder, "--base-port", BASE_PORT]
        self.bootstrap = run(*command, cwd=ROOT, stdout=subprocess.PIPE).stdout.split()[-1]
        return self

    def __exit__(self, *_):
        run("cargo", "xtask", "kafka", "down", "--dir", self.folder, "--purge", cwd=ROOT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self):
        pids = subprocess.run(["pgrep", "-f", f"kafka.Kafka.*{self.folder}"], capture_output=True, text=True)
        return sum(cpu_seconds(int(pid)) for pid in pids.stdout.split())


def cpu_seconds(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Stage:
    """Topics of their own on a cluster, with the catalog in them."""

    count = 0

    def __init__(self, cluster, args, partitions=6, catalog=True, more=""):
        Stage.count += 1
        self.name, self.work, self.cluster = f"m{Stage.count}", args.work, cluster
        names = ["listings", "catalog", "review", "verdicts", "decisions", "recheck", "state"]
        topics = "".join(f'{name} = "{self.name}.{name}"\n' for name in names)
        self.text = f'[topics]\n{topics}dead_letters = "{self.name}.dlq"\n{more}\n'
        self.text += f'[kafka]\nbootstrap_servers = "{cluster.bootstrap}"\ngroup_id = "{self.name}"\n'
        self.config = args.work / f"{self.name}.toml"
        self.config.write_text(self.text)
        run(TOUCHSTONE, "topics", "create", "--config", self.config, "--partitions", partitions, stdout=subprocess.DEVNULL)
        if catalog:
            run(TOUCHSTONE, "catalog", "submit", args.catalog, "--config", self.config, capture_output=True)

    def load(self, *options, **more):
        command = [TOUCHSTONE, "load", "--config", self.config, "--json", *options]
        return json.loads(run(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **more).stdout)

    def verify(self):
        report = subprocess.run([TOUCHSTONE, "verify", "--json", "--config", self.config], stdout=subprocess.PIPE, text=True)
        report = json.loads(report.stdout)
        assert report["exact"] and report["pending"] == 0, report
        return report


class Worker:
    count = 0

    def __init__(self, stage, more="", transactions=True):
        Worker.count += 1
        self.port = 28200 + Worker.count % 100
        config = stage.work / f"worker{Worker.count}.toml"
        text = stage.text.replace("[kafka]\n", f'[kafka]\ninstance_id = "w{Worker.count}"\n')
        config.write_text(f'{text}\n[http]\nlisten = "127.0.0.1:{self.port}"\n{more}')
        environment = dict(os.environ)
        if not transactions:
            environment["TOUCHSTONE_WITHOUT_TRANSACTIONS"] = "1"
        log = open(stage.work / f"worker{Worker.count}.log", "w")
        self.started = time.monotonic()
        self.process = subprocess.Popen([TOUCHSTONE, "run", "--config", config], env=environment, stdout=log, stderr=log)

    def page(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def metric(self, name):
        lines = (line for line in self.page("/metrics").splitlines() if line.startswith(name))
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def done(self):
        return self.metric("touchstone_listings_total")

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def wait_ready(self):
        while "catalog read: yes" not in self.page("/readyz"):
            assert self.process.poll() is None, "the worker ended"
            time.sleep(0.02)
        return time.monotonic() - self.started

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0


def drain(stage, workers, count):
    """Lets workers work off what lies in the topic: listings a second and CPU of each between the first commit and the last."""
    while sum(worker.done() for worker in workers) == 0:
        time.sleep(0.02)
    first, at_start = time.monotonic(), sum(worker.done() for worker in workers)
    cpu, broker = [worker.cpu() for worker in workers], stage.cluster.cpu()
    while sum(worker.done() for worker in workers) < count:
        assert all(worker.process.poll() is None for worker in workers), "a worker ended"
        time.sleep(0.05)
    seconds, n = time.monotonic() - first, count - at_start
    used = sum(worker.cpu() for worker in workers) - sum(cpu)
    return {
        "listings": int(n), "seconds": round(seconds, 2), "listings_per_s": round(n / seconds),
        "cpu_us_per_listing": round(used / n * 1e6, 1),
        "broker_cpu_us_per_listing": round((stage.cluster.cpu() - broker) / n * 1e6, 1),
    }


def text(cluster, args):
    for transactions in [True, False] * args.rounds:
        stage = Stage(cluster, args)
        stage.load("--listings", args.listings, "--count", args.count)
        worker = Worker(stage, args.settings, transactions=transactions)
        figures = drain(stage, [worker], args.count)
        worker.stop()
        if transactions:
            stage.verify()
        tell(scenario="text", nodes=args.nodes, transactions=transactions, **figures)


def latency(cluster, args):
    for rate, seconds in [(args.rate, 30), (1000, 30)]:
        stage = Stage(cluster, args)
        worker = Worker(stage)
        worker.wait_ready()
        stage.load("--listings", args.listings, "--count", 2000, "--rate", rate, "--watch")
        figures = stage.load("--listings", args.listings, "--count", rate * seconds, "--rate", rate, "--watch", "--seed", 2)
        worker.stop()
        stage.verify()
        tell(scenario="latency", nodes=args.nodes, rate=rate, **figures)


def with_photos(args, count, rate, pictures):
    """Listings with one photo each from a host with delays; the second tier on proposed references only."""
    port = 28300
    settings = f'[photos]\ntest_origins = ["http://127.0.0.1:{port}"]\nmax_fetches = 512\nmax_fetches_per_host = 512\n'
    policy = args.work / "policy.toml"
    policy.write_text((ROOT / "config/policy.toml").read_text().replace('search = "all"', 'search = "proposed"'))
    # A dead photo holds back what stands behind it for the deadline of 5 s: so many listings are in hand at 2,000 a second and more.
    settings += f'[policy]\npath = "{policy}"\n[limits]\nmax_in_flight = 16384\n'
    options = ["--listings", args.listings, "--count", count, "--rate", rate, "--watch", "--photos", 1]
    options += ["--photo-host", f"127.0.0.1:{port}", "--photo-latency-ms", 20, "--photo-slow", 0.05, "--photo-dead", 0.01]
    return settings, [*options, "--distinct-photos", pictures, "--timeout", 120]


def photos(cluster, args, name="photos", pictures=4000, count=10000, rate=0):
    stage = Stage(cluster, args)
    settings, options = with_photos(args, count, rate, pictures)
    worker = Worker(stage, settings)
    worker.wait_ready()
    if name == "cached":
        stage.load(*options, "--seed", 9)
        # The last photos to end are the dead ones; a host that fails several times in a row rests for a while.
        time.sleep(40)
    cpu, lost = worker.cpu(), worker.metric("touchstone_partitions_total{outcome=\"lost\"}")
    figures = stage.load(*options)
    figures["worker_cpu_ms_per_listing"] = round((worker.cpu() - cpu) / count * 1e3, 3)
    figures["partitions_lost"] = worker.metric("touchstone_partitions_total{outcome=\"lost\"}") - lost
    worker.stop()
    stage.verify()
    tell(scenario=name, nodes=args.nodes, **figures)


def cached(cluster, args):
    photos(cluster, args, "cached", pictures=200, count=30000)


def memory(cluster, args):
    stage = Stage(cluster, args)
    worker = Worker(stage)
    worker.wait_ready()
    sizes = []
    for part in range(15):
        stage.load("--listings", args.listings, "--count", args.count, "--rate", 8000, "--watch", "--seed", part, "--timeout", 120)
        sizes.append(round(resident_mib(worker.process.pid), 1))
    worker.stop()
    tell(scenario="memory", nodes=args.nodes, listings=15 * args.count, resident_mib=sizes)


def photo_memory(cluster, args):
    stage = Stage(cluster, args)
    settings, options = with_photos(args, 5000, 0, 1000)
    worker = Worker(stage, settings)
    worker.wait_ready()
    sizes = []
    for part in range(10):
        stage.load(*options, "--seed", part)
        sizes.append(round(resident_mib(worker.process.pid), 1))
    worker.stop()
    tell(scenario="photo_memory", nodes=args.nodes, listings=50000, resident_mib=sizes)


def two(cluster, args):
    for n_workers in [1, 2] * args.rounds:
        stage = Stage(cluster, args)
        stage.load("--listings", args.listings, "--count", args.count)
        workers = [Worker(stage) for _ in range(n_workers)]
        figures = drain(stage, workers, args.count)
        shares = [int(worker.done()) for worker in workers]
        for worker in workers:
            worker.stop()
        stage.verify()
        tell(scenario="two", nodes=args.nodes, workers=n_workers, shares=shares, **figures)


def million(cluster, args):
    """The time to read a large catalog from the topic, and to start again with the local snapshot."""
    snapshot = args.work / "snapshot"
    shutil.rmtree(snapshot, ignore_errors=True)
    stage = Stage(cluster, args, catalog=False, more=f'[catalog]\nsnapshot_path = "{snapshot}"')
    run(TOUCHSTONE, "catalog", "submit", args.big_catalog, "--config", stage.config, capture_output=True)
    first = Worker(stage)
    from_topic = first.wait_ready()
    while not (snapshot / "catalog.json").exists():
        time.sleep(0.2)
    resident = resident_mib(first.process.pid)
    first.stop()
    second = Worker(stage)
    from_snapshot = second.wait_ready()
    tell(scenario="million", nodes=args.nodes, seconds_from_topic=round(from_topic, 2), resident_mib=round(resident),
         seconds_from_snapshot=round(from_snapshot, 2), resident_mib_of_snapshot=round(resident_mib(second.process.pid)))
    second.stop()


def flagged(number, prefix="FL"):
    """A listing that text alone flags: slang, and a look-alike of the brand."""
    return {"listing_id": f"{prefix}-{number}", "title": "Lumоra 20 preto primeira linha", "seller": {"seller_id": f"S-{number % 997}"}}


def withdrawal(cluster, args):
    """A brand with 10,000 open flags is withdrawn: how long until all are taken back, and what listings meanwhile wait."""
    n_flags, rate, seconds = 10_000, 1_000, 40
    stage = Stage(cluster, args)
    feed = args.work / "lumora.jsonl"
    feed.write_text(json.dumps({"kind": "brand", "brand_id": "lumora", "name": "Lumora"}) + "\n")
    run(TOUCHSTONE, "catalog", "submit", feed, "--config", stage.config, capture_output=True)
    flags = args.work / "flagged.jsonl"
    flags.write_text("".join(json.dumps(flagged(number)) + "\n" for number in range(n_flags)))
    worker = Worker(stage)
    worker.wait_ready()
    stage.load("--listings", flags, "--count", n_flags, "--watch")
    while worker.metric("touchstone_open_flags") < n_flags:
        time.sleep(0.2)
    live = ["--listings", args.listings, "--count", rate * seconds, "--rate", rate, "--watch"]
    # The brokers' Java takes a while to be warm.
    stage.load(*live, "--seed", 1)
    before = stage.load(*live, "--seed", 2)
    opened = worker.metric("touchstone_open_flags")
    command = [str(part) for part in [TOUCHSTONE, "load", "--config", stage.config, "--json", *live, "--seed", 3]]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    time.sleep(3)
    taken_back = 'touchstone_flag_events_total{event="sweep_changed"}'
    earlier, started = worker.metric(taken_back), time.monotonic()
    run(TOUCHSTONE, "catalog", "withdraw", "brand/lumora", "--config", stage.config, capture_output=True)
    while worker.metric(taken_back) < earlier + n_flags:
        time.sleep(0.1)
    took = time.monotonic() - started
    during = json.loads(load.communicate()[0])
    report = stage.verify()
    worker.stop()
    tell(scenario="withdrawal", nodes=args.nodes, rate=rate, open_flags=int(opened), seconds_until_taken_back=round(took, 1),
         before=before, during=during, report=report)


def restore(cluster, args):
    """The time to take up a partition with a million listings, and what one takes in the topic and in memory."""
    n = 1_000_000
    stage = Stage(cluster, args, partitions=1)
    worker = Worker(stage)
    worker.wait_ready()
    stage.load("--listings", args.listings, "--count", n, timeout=900)
    while worker.done() < n:
        time.sleep(1)
    figures = {name: worker.metric(f"touchstone_{name}") for name in ("state_listings", "open_flags", "state_memory_bytes")}
    worker.stop()
    again = Worker(stage)
    again.wait_ready()
    while again.metric("touchstone_state_listings") < figures["state_listings"]:
        time.sleep(0.05)
    took = time.monotonic() - again.started
    log = (stage.work / f"worker{Worker.count}.log").read_text()
    restored = [line.strip() for line in log.splitlines() if "state restored" in line]
    tell(scenario="restore", nodes=args.nodes, seconds_from_start=round(took, 1), resident_mib=round(resident_mib(again.process.pid)),
         restored=restored, **figures)
    again.stop()


def ten_times(cluster, args):
    for catalog in [args.catalog, args.ten_catalog] * args.rounds:
        stage = Stage(cluster, args, catalog=False)
        run(TOUCHSTONE, "catalog", "submit", catalog, "--config", stage.config, capture_output=True)
        stage.load("--listings", args.listings, "--count", args.count)
        worker = Worker(stage)
        figures = drain(stage, [worker], args.count)
        worker.stop()
        tell(scenario="ten_times", nodes=args.nodes, catalog=Path(catalog).name, **figures)


def peer(cluster, args):
    """Our worker and the one in Python, one after the other, on topics with the same listings."""
    for _ in range(args.rounds):
        for ours in [True, False]:
            stage = Stage(cluster, args)
            stage.load("--listings", args.listings, "--count", args.count)
            if ours:
                worker = Worker(stage)
                figures = drain(stage, [worker], args.count)
                worker.stop()
            else:
                command = [args.peer_python, ROOT / "benches/peer/worker.py", *args.peer_options.split()]
                command += ["--bootstrap", cluster.bootstrap, "--group", stage.name, "--dead-letters", f"{stage.name}.dlq"]
                command += [part for name in ("listings", "catalog", "verdicts", "review") for part in (f"--{name}", f"{stage.name}.{name}")]
                out = run(*command, "--count", args.count, "--json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
                figures = json.loads(out.strip().splitlines()[-1])
            stage.verify()
            tell(scenario="peer", nodes=args.nodes, who="touchstone" if ours else "python", **figures)


def main():
    scenarios = {f.__name__: f for f in (text, latency, photos, cached, memory, photo_memory, two, ten_times, million, peer, withdrawal, restore)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="+", choices=scenarios)
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--listings", required=True)
    parser.add_argument("--ten-catalog", help="ten times as many products, for ten_times")
    parser.add_argument("--big-catalog", help="a million products, for million")
    parser.add_argument("--settings", default="", help="more TOML for the worker, for text")
    parser.add_argument("--peer-python", default="python3")
    parser.add_argument("--peer-options", default="")
    parser.add_argument("--nodes", type=int, default=1, choices=[1, 3])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=2_500)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--work", type=Path, default=TARGET / "stream")
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    build = ["cargo", "build", "--release", "--package", "touchstone-cli", "--features", "failpoints", "--target-dir", TARGET]
    run(*build, cwd=ROOT, stdout=sys.stderr)
    for name in args.scenario:
        with Cluster(args) as cluster:
            scenarios[name](cluster, args)


if __name__ == "__main__":
    main()
