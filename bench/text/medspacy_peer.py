"""medspaCy as shipped, in one process of its own environment: `medspacy.load()` and nothing added.

Run by `bench.text.measure`: a JSON object {"texts"} a line in, one with the times out. `quiet` as argument takes the
handler of its debug log away, which it writes to standard error as shipped.
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
    if "quiet" in sys.argv:
        import_module("loguru").logger.remove()
    nlp = medspacy.load()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)["texts"]
        seconds, sentences, modifiers = [], 0, 0
        cpu = time.process_time()
        for text in texts:
            began = time.perf_counter()
            document = nlp(text)
            seconds.append(time.perf_counter() - began)
            sentences += sum(1 for _ in document.sents)
            modifiers += len(document._.context_graph.modifiers)
        answer = {
            "seconds": seconds,
            "cpu_s": time.process_time() - cpu,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "output": f"{sentences / len(texts):.0f} sentences, {modifiers / len(texts):.0f} ConText modifiers",
        }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
