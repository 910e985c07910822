import sys

sys.path.insert(0, sys.argv[4])
import _start

_start.start(sys.argv)
for _script in _start.scripts():
    try:
        execfile(_script)
    except BaseException as _error:
        if _start.ended(_error):
            break
_start.finish()
del sys, _start
