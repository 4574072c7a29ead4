"""The examples of the README run as they are written."""

import re
from pathlib import Path


def test_every_example_runs(tmp_path, monkeypatch, forever):
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", readme, re.S)
    assert examples
    names = {"TRUST": forever["trust"], "pasted": forever["license"]}
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
