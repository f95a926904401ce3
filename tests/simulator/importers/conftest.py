"""Files that tests write."""

import pytest


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a file into the working directory; its name is what messages begin with."""
    monkeypatch.chdir(tmp_path)

    def write(text, name):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return write
