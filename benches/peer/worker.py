#!/usr/bin/env python3
"""The job of `touchstone run` as a Python team would build it: Kafka in, Kafka out, exactly once.

Reads the catalog topic to its end and trains the classifier; then each process, a member of one consumer
group with a transactional producer of its own, takes batches of listings, judges them, and commits
verdicts, flags, dead letters and offsets in one transaction.

usage: worker.py --bootstrap HOST:PORT --train DIR [--processes N] [--until-idle S | --count N] [--json]
needs: requirements.txt; DIR as `touchstone simulate --out DIR` writes it
"""

import os

for name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
):  # one thread a process; processes share the cores
    os.environ.setdefault(name, "1")

import argparse
import collections
import gc
import json
import multiprocessing
import pathlib
import resource
import signal
import sys
import time

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

import model
from catalog import Catalog
from judge import Judge
from listing import Rejected, check
from photos import Photos

MAX_LISTING_BYTES = 1 << 20
TRUNCATED_BYTES = 64 << 10
DEAD_LETTER_LIMIT, DEAD_LETTER_WINDOW = 500, 10_000
ABORT_LIMIT = 20
JOIN_S = 15
HERE = pathlib.Path(__file__).resolve().parent


def main():
    options = arguments()
    records, catalog_offsets = read_catalog(options)
    judge = Judge(Catalog(records, options.lexicon))
    judge.model = model.train(judge, options.train, options.model)
    print(
        f"{len(records)} catalog records, {len(judge.catalog.references.about)} photos; ready",
        file=sys.stderr,
    )
    gc.collect()
    gc.freeze()  # what is built by now is shared with the processes, and stays shared
    gc.set_threshold(50_000, 20, 20)
    context = multiprocessing.get_context("fork")
    total, shares = context.Value("q", 0), context.Array("i", options.processes)
    workers = []
    for slot in range(options.processes):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=work, args=(options, judge, catalog_offsets, slot, total, shares, theirs)
        )
        process.start()
        theirs.close()
        workers.append((process, ours))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: [process.terminate() for process, _ in workers])
    results = [result_of(ours) for _, ours in workers]
    for process, _ in workers:
        process.join()
    summary = summarise([result for result in results if result], options)
    print(json.dumps(summary) if options.json else "\n".join(f"{k}: {v}" for k, v in summary.items()))
    sys.exit(max((abs(process.exitcode) for process, _ in workers), default=0))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bootstrap", required=True)
    p.add_argument("--group", default="touchstone-peer")
    p.add_argument("--train", required=True, help="a labelled market: listings.jsonl, labels.csv")
    p.add_argument("--model", choices=model.KINDS, default="boosting")
    p.add_argument("--lexicon", default=HERE.parents[1] / "config" / "lexicon")
    p.add_argument("--processes", type=int, default=os.cpu_count() + 1)
    p.add_argument("--batch", type=int, default=1000)
    p.add_argument("--batch-ms", type=int, default=100)
    p.add_argument(
        "--test-origin", action="append", default=[], help="http://127.0.0.1:PORT, fetched though not https"
    )
    p.add_argument("--photo-deadline-ms", type=int, default=5000)
    p.add_argument("--until-idle", type=float, help="end after so many seconds without a listing")
    p.add_argument("--count", type=int, help="end after so many listings")
    p.add_argument("--json", action="store_true")
    for topic in ("listings", "catalog", "verdicts", "review"):
        p.add_argument(f"--{topic}", default=topic)
    p.add_argument("--dead-letters", default="listings.dlq")
    return p.parse_args()


def read_catalog(options):
    """The live records of the compacted topic, and how far each partition was read."""
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": f"{options.group}-catalog-{os.getpid()}",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    partitions = consumer.list_topics(options.catalog, timeout=10).topics[options.catalog].partitions
    consumer.assign([TopicPartition(options.catalog, p, OFFSET_BEGINNING) for p in partitions])
    live, offsets, n_open = {}, dict.fromkeys(partitions, 0), len(partitions)
    while n_open:
        for message in consumer.consume(10_000, timeout=0.2):
            if message.error() is None:
                offsets[message.partition()] = message.offset() + 1
                if message.value() is None:
                    live.pop(message.key(), None)
                else:
                    live[message.key()] = message.value()
            elif message.error().code() == KafkaError._PARTITION_EOF:
                n_open -= 1
            else:
                raise KafkaException(message.error())
    consumer.close()
    told = ",".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))
    return [orjson.loads(value) for value in live.values()], told


def work(options, judge, catalog_offsets, slot, total, shares, pipe):
    """One process, to its end."""
    worker = Worker(options, judge, catalog_offsets, slot, total, shares)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    code = worker.run()
    pipe.send(worker.result())
    pipe.close()
    sys.stdout.flush()
    os._exit(code)  # a static member's clean-up has been done; no thread of a library may keep us


def result_of(pipe):
    try:
        return pipe.recv()
    except EOFError:
        return None


class Worker:
    def __init__(self, options, judge, catalog_offsets, slot, total, shares):
        self.options, self.judge, self.slot, self.total, self.shares = options, judge, slot, total, shares
        self.catalog_header = ("touchstone-catalog-offsets", catalog_offsets.encode())
        self.photos = Photos(options.test_origin, options.photo_deadline_ms / 1000)
        self.consumer = Consumer(
            {
                "bootstrap.servers": options.bootstrap,
                "group.id": options.group,
                "client.id": f"peer-{slot}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 3_000,
                "max.poll.interval.ms": 60_000,
                "queued.min.messages": 5_000,
                "queued.max.messages.kbytes": 65_536,
                "fetch.queue.backoff.ms": 10,
            }
        )
        self.producer = Producer(
            {
                "bootstrap.servers": options.bootstrap,
                "transactional.id": f"{options.group}-{slot}",
                "transaction.timeout.ms": 10_000,
                "compression.type": "lz4",
                "linger.ms": 5,
                "partitioner": "murmur2_random",
                "message.max.bytes": 5 << 20,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self.recent = collections.deque(maxlen=DEAD_LETTER_WINDOW)
        self.is_stopped = False
        self.n, self.decisions = 0, collections.Counter()
        self.first = self.last = None
        self.active = time.monotonic()
        self.n_aborts = 0

    def stop(self, *_):
        self.is_stopped = True

    def run(self):
        """The loop: one batch is read, judged and committed before the next is read.

        Rebalances happen inside `consume`, when nothing is in hand: its owner commits a batch, or nobody.
        """
        self.cpu_at_start = cpu_seconds()
        try:
            self.producer.init_transactions(30)
            self.consumer.subscribe([self.options.listings], on_assign=self.assigned)
            self.wait_for_the_others()
            while not self.is_done():
                messages = self.consumer.consume(self.options.batch, timeout=self.options.batch_ms / 1000)
                if messages:
                    self.first = self.first or time.time()
                    self.batch(messages)
            self.consumer.close()
            return 0
        except TooManyDeadLetters as error:
            print(error, file=sys.stderr)
            return 1
        except (
            KafkaException
        ) as error:  # what cannot be repaired here: a fresh process reads from the last commit
            print(f"gave up: {error}", file=sys.stderr)
            return 70
        finally:
            self.cpu = cpu_seconds() - self.cpu_at_start

    def wait_for_the_others(self):
        """Until each process has partitions, so that a backlog is not worked off by whoever came first."""
        deadline = time.monotonic() + JOIN_S
        while not self.is_stopped and time.monotonic() < deadline and 0 in self.shares[:]:
            self.rewind(self.consumer.consume(1, timeout=0.05))
            mine = self.consumer.assignment()
            self.consumer.pause(mine)
            self.shares[self.slot] = len(mine)
        self.consumer.resume(self.consumer.assignment())
        self.active = time.monotonic()

    def assigned(self, consumer, partitions):
        """Starts where the group committed, else at the beginning; an offset that is gone is an error."""
        for partition in consumer.committed(partitions, timeout=10):
            if partition.offset < 0:
                partition.offset = OFFSET_BEGINNING
            consumer.incremental_assign([partition])
        self.active = time.monotonic()

    def is_done(self):
        options = self.options
        if options.count is not None and self.total.value >= options.count:
            return True
        idle = time.monotonic() - self.active
        return self.is_stopped or (options.until_idle is not None and idle > options.until_idle)

    def batch(self, messages):
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
        inputs, letters = [], {}
        for place, message in enumerate(messages):
            try:
                inputs.append((place, parse(message)))
            except Rejected as error:
                letters[place] = str(error)
        outcomes = dict(self.judged(inputs, letters))
        self.count_dead_letters(len(messages), len(letters), letters)
        records = []
        for place, message in enumerate(messages):
            if place in letters:
                records.append(self.dead_letter(message, letters[place]))
            else:
                records += self.written(message, *outcomes[place])
        self.commit(messages, records, outcomes, letters)

    def judged(self, inputs, letters):
        """(place, (verdict, flag fields)); a batch that fails is halved until the culprit stands alone."""
        if not inputs:
            return []
        places, listings = zip(*inputs)
        try:
            return list(zip(places, self.judge.verdicts(listings, self.photos.of_batch(listings))))
        except Exception as error:  # a listing must not stop the worker
            if len(inputs) == 1:
                letters[places[0]] = f"panic: {error!r}"[:2000]
                return []
            half = len(inputs) // 2
            return self.judged(inputs[:half], letters) + self.judged(inputs[half:], letters)

    def count_dead_letters(self, n_inputs, n_dead, letters):
        self.recent.extend([False] * (n_inputs - n_dead) + [True] * n_dead)
        if n_dead and sum(self.recent) > DEAD_LETTER_LIMIT:
            last = next(reversed(letters.values()))
            raise TooManyDeadLetters(
                f"{sum(self.recent)} of {len(self.recent)} inputs are dead letters: {last}"
            )

    def headers(self, message, kind):
        source = f"{message.topic()}/{message.partition()}@{message.offset()}".encode()
        own = [("touchstone-source", source), ("touchstone-kind", kind), self.catalog_header]
        given = message.headers()
        if kind == b"dead_letter":
            return (given or []) + own
        if given:
            own += [header for header in given if header[0] in ("traceparent", "tracestate")]
        return own

    def written(self, message, verdict, flag):
        """The records of one verdict: (topic, key, value, headers)."""
        headers = self.headers(message, b"verdict")
        key = verdict["listing_id"].encode()
        records = [(self.options.verdicts, key, orjson.dumps(verdict), headers)]
        if flag:
            records.append((self.options.review, key, orjson.dumps({**verdict, **flag}), headers))
        return records

    def dead_letter(self, message, error):
        value = message.value()
        headers = self.headers(message, b"dead_letter") + [
            ("touchstone-error", error.encode("utf8", "replace")),
            ("touchstone-topic", message.topic().encode()),
            ("touchstone-partition", str(message.partition()).encode()),
            ("touchstone-offset", str(message.offset()).encode()),
            ("touchstone-attempts", b"1"),
        ]
        if value is not None and len(value) > MAX_LISTING_BYTES:
            headers.append(("touchstone-truncated", str(len(value)).encode()))
            value = value[:TRUNCATED_BYTES]
        return self.options.dead_letters, message.key(), value, headers

    def commit(self, messages, records, outcomes, letters):
        """All that the batch gave and its offsets, in one transaction; what is aborted is read again."""
        ends = {}
        for message in messages:
            ends[message.partition()] = message.offset() + 1
        offsets = [TopicPartition(self.options.listings, partition, end) for partition, end in ends.items()]
        producer = self.producer
        try:
            producer.begin_transaction()
            for topic, key, value, headers in records:
                producer.produce(topic, value, key, headers=headers)
            producer.send_offsets_to_transaction(offsets, self.consumer.consumer_group_metadata(), 10)
            retried(producer.commit_transaction)
        except KafkaException as error:
            self.n_aborts += 1
            if not error.args[0].txn_requires_abort() or self.n_aborts > ABORT_LIMIT:
                raise
            retried(producer.abort_transaction)
            self.rewind(messages)
            return
        self.n_aborts = 0
        self.last = self.active = time.monotonic()
        self.last = time.time()
        self.n += len(messages)
        self.decisions.update(verdict["decision"] for verdict, _ in outcomes.values())
        self.decisions["dead_letter"] += len(letters)
        with self.total.get_lock():
            self.total.value += len(messages)

    def rewind(self, messages):
        """Back to the first message of each partition that is still ours."""
        begins = {}
        for message in messages:
            begins.setdefault(message.partition(), message.offset())
        owned = {p.partition for p in self.consumer.assignment()}
        for partition, offset in begins.items():
            if partition in owned:
                self.consumer.seek(TopicPartition(self.options.listings, partition, offset))

    def result(self):
        return {
            "n": self.n,
            "first": self.first,
            "last": self.last,
            "cpu": self.cpu,
            "decisions": self.decisions,
        }


class TooManyDeadLetters(Exception):
    """One bad listing must pass, a bad release must not."""


def retried(call):
    """A transaction's end, again where the client says that it may be tried again."""
    while True:
        try:
            return call(30)
        except KafkaException as error:
            if not error.args[0].retriable():
                raise


def parse(message):
    value = message.value()
    if value is None:
        raise Rejected("null_value: the message has no value")
    if len(value) > MAX_LISTING_BYTES:
        raise Rejected(f"too_large: the listing has {len(value)} bytes, {MAX_LISTING_BYTES} are allowed")
    try:
        return check(orjson.loads(value))
    except orjson.JSONDecodeError as error:
        raise Rejected(f"json: {error}") from None


def cpu_seconds():
    """User and system time of this process, all its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def summarise(results, options):
    """What all processes did. CPU seconds run from subscribing to the end; the start stands apart."""
    n = sum(result["n"] for result in results)
    cpu = sum(result["cpu"] for result in results)
    decisions = collections.Counter()
    for result in results:
        decisions.update(result["decisions"])
    done = [result for result in results if result["n"]]
    first = min((result["first"] for result in done), default=0)
    last = max((result["last"] for result in done), default=0)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    everything = sum(u.ru_utime + u.ru_stime for u in used)
    return {
        "listings": n,
        "seconds": round(last - first, 3),
        "listings_per_s": round(n / (last - first), 1) if n else 0,
        "cpu_seconds": round(cpu, 3),
        "cpu_seconds_per_listing": round(cpu / n, 8) if n else 0,
        "start_cpu_seconds": round(everything - cpu, 3),
        "processes": options.processes,
        "listings_of_process": [result["n"] for result in results],
        "decisions": dict(decisions),
        "first_read_at": first,
        "last_commit_at": last,
    }


if __name__ == "__main__":
    main()
