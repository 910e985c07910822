# The box's small file system: a file is there whole or as it was, whenever the power goes off.

_ENOENT = 2


class _Writing:
    def __init__(self, files, path, text):
        self._files = files
        self._path = path
        self._text = text
        self._parts = []

    def write(self, data):
        self._files.operation()
        self._parts.append(data.encode() if self._text else bytes(data))
        return len(data)

    def close(self):
        self._files.operation()
        self._files.held[self._path] = b"".join(self._parts)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()


class _Reading:
    def __init__(self, data, text):
        self._data = str(data, "utf-8") if text else data

    def read(self, length=-1):
        data = self._data if length < 0 else self._data[:length]
        self._data = self._data[len(data) :]
        return data

    def readinto(self, buf):
        data = self.read(len(buf))
        buf[: len(data)] = data
        return len(data)

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        pass


class Files:
    """`cut_in(n)`: the power goes off before the n-th write, close or rename from now has an
    effect, or just behind it if `behind`. cut() raises what that raises."""

    def __init__(self, cut):
        self.held = {}
        self.operations = 0
        self._cut = cut
        self._cut_at = 0

    def cut_in(self, operations):
        self._cut_at = self.operations + operations if operations else 0

    def operation(self):
        self.operations += 1
        if self.operations == self._cut_at:
            self._cut_at = 0
            self._cut()

    def open(self, path, mode="r"):
        text = "b" not in mode
        if "w" in mode:
            return _Writing(self, path, text)
        if path not in self.held:
            raise OSError(_ENOENT)
        return _Reading(self.held[path], text)

    # as a module `os`

    def rename(self, old, new):
        self.operation()
        if old not in self.held:
            raise OSError(_ENOENT)
        self.held[new] = self.held.pop(old)

    def remove(self, path):
        self.operation()
        if path not in self.held:
            raise OSError(_ENOENT)
        del self.held[path]

    def stat(self, path):
        if path not in self.held:
            raise OSError(_ENOENT)
        return (0, 0, 0, 0, 0, 0, len(self.held[path]), 0, 0, 0)
