import gc

_pristine = gc.mem_alloc()
import sys
import uctypes
import vfs

# the modules that play the hardware lie in memory outside of the heap, like the ESP32's own
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(int(sys.argv[6]), int(sys.argv[7]))), "/rom")
sys.path.insert(0, "/rom")
import _start

_start.start(sys.argv, _pristine)
del gc, sys, uctypes, vfs, _pristine
for _script in _start.scripts():
    try:
        execfile(_script)
    except BaseException as _error:
        if _start.ended(_error):
            break
_start.finish()
del _start
