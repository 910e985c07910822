# asyncio in simulated time: the firmware's own tasks, one after the other, until all of them wait.

READY = -1


class _Pause:
    """What a task waits for, handed up to who runs the tasks."""

    def __init__(self, what):
        self.what = what

    def __await__(self):
        yield self.what

    __iter__ = __await__


class Flag:
    """Stands for asyncio's ThreadSafeFlag."""

    def __init__(self):
        self.up = False

    def set(self):
        self.up = True

    def clear(self):
        self.up = False

    async def wait(self):
        if not self.up:
            await _Pause(self)
        self.up = False


class Task:
    def __init__(self, name, coroutine, tasks):
        self.tasks = tasks
        self.name = name
        self.coroutine = coroutine
        self.waits = None  # for this flag to be up
        self.wake_at = READY  # world's ms, if it waits for no flag
        self.sleeps = 0
        self.over = False

    def cancel(self):
        if not self.over:
            self.over = True
            self.tasks.changed = True
            self.coroutine.close()


class Tasks:
    """wake(task, ms) -> world's ms at which a task that sleeps so long goes on."""

    def __init__(self, wake):
        self.all = []
        self.changed = False  # tasks have come or ended
        self._wake = wake

    def add(self, name, coroutine):
        task = Task(name, coroutine, self)
        self.all = self.all + [task]
        self.changed = True
        return task

    def run(self, task):
        """Until it waits again. What it raises comes through."""
        task.waits = None
        try:
            waits = task.coroutine.send(None)
        except StopIteration:
            task.over = True
            self.changed = True
            return
        if isinstance(waits, int):
            task.sleeps += 1
            task.wake_at = self._wake(task, waits)
        else:
            task.waits = waits

    def sweep(self):
        """Takes away those that have ended."""
        self.changed = False
        self.all = [task for task in self.all if not task.over]

    def clear(self):
        """The power is off. What ends a task frees only what is lost anyway."""
        ended, self.all = self.all, []
        for task in ended:
            task.cancel()


class Asyncio:
    """The verbs of asyncio that the firmware uses."""

    Event = ThreadSafeFlag = Flag
    tasks = None  # those of the box that runs

    @staticmethod
    def sleep_ms(ms):
        return _Pause(max(0, ms))

    @staticmethod
    def create_task(coroutine):
        return Asyncio.tasks.add("more", coroutine)

    @staticmethod
    async def gather(*coroutines):
        raise NotImplementedError
