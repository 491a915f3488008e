"""medspaCy as shipped, in one process of its own environment: `medspacy.load()` and nothing added.

Run by `bench.text.measure`: a JSON object {"texts"} a line in, one with the times out. The argument is how many notes
it is given at a time: with more than one by spaCy's `pipe`, and without the debug log that it writes as shipped.
"""

import json
import resource
import sys
import time
from importlib import import_module


def main() -> None:
    """Load, then answer line by line."""
    answers, sys.stdout = sys.stdout, sys.stderr
    medspacy = import_module("medspacy")  # after the redirection: it may print while it loads
    at_a_time = int(sys.argv[1])
    if at_a_time > 1:
        import_module("loguru").logger.remove()
    nlp = medspacy.load()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)["texts"]
        seconds, sentences, modifiers = [], 0, 0
        began, cpu = time.perf_counter(), time.process_time()
        last = began
        for document in nlp.pipe(texts, batch_size=at_a_time) if at_a_time > 1 else map(nlp, texts):
            seconds.append(time.perf_counter() - last)
            sentences += sum(1 for _ in document.sents)
            modifiers += len(document._.context_graph.modifiers)
            last = time.perf_counter()
        answer = {
            "seconds": seconds,
            "clock_s": sum(seconds),
            "cpu_s": time.process_time() - cpu,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "output": f"{sentences / len(texts):.0f} sentences, {modifiers / len(texts):.0f} ConText modifiers",
        }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
