"""Run by another Python, one with transformers: what it makes of folders, as JSON.

Arguments: a file with a JSON list of texts, and folders.
"""

import json
import sys
from pathlib import Path

from transformers import AutoTokenizer, __version__

texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
about = {}
for folder in sys.argv[2:]:
    theirs = AutoTokenizer.from_pretrained(folder)
    batch = theirs([texts[0], texts[0] * 3], padding=True)
    ids = [theirs(text)["input_ids"] for text in texts]
    about[folder] = {
        "class": type(theirs).__name__,
        "size": len(theirs),
        "ids": ids,
        "texts": [theirs.decode(i) for i in ids],
        "batch": dict(batch),
        "roles": {r: getattr(theirs, f"{r}_token") for r in ("unk", "bos", "eos", "pad")},
        "role ids": {r: getattr(theirs, f"{r}_token_id") for r in ("unk", "bos", "eos", "pad")},
        "ended": theirs(texts[0] + (theirs.eos_token or ""))["input_ids"],
    }
json.dump({"version": __version__, "folders": about}, sys.stdout)
