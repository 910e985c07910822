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
    def __init__(self, name, coroutine):
        self.name = name
        self.coroutine = coroutine
        self.waits = None  # for this flag to be up
        self.wake_at = READY  # world's ms, if it waits for no flag
        self.sleeps = 0
        self.runs = 0
        self.over = False

    def cancel(self):
        if not self.over:
            self.over = True
            self.coroutine.close()


class Tasks:
    """wake(task, ms) -> world's ms at which a task that sleeps so long goes on."""

    def __init__(self, wake):
        self.all = []
        self._wake = wake
        self._running = None

    def add(self, name, coroutine):
        task = Task(name, coroutine)
        self.all.append(task)
        return task

    def run(self, task):
        """Until it waits again. What it raises comes through."""
        self._running = task
        task.waits = None
        task.runs += 1
        try:
            waits = task.coroutine.send(None)
        except StopIteration:
            task.over = True
            self.all.remove(task)
            return
        finally:
            self._running = None
        if isinstance(waits, int):
            task.sleeps += 1
            task.wake_at = self._wake(task, waits)
        else:
            task.waits = waits

    def sweep(self):
        """Takes away those that were cancelled."""
        for task in self.all[:]:
            if task.over:
                self.all.remove(task)

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
