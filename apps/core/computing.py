"""Let one thread of a process compute at a time.

Only one can, because of the interpreter lock. Threads that wait for that lock wake up again and again, and as many as
compete with the event loop for it; threads that wait for this one sleep. Never wait for anything else while holding it.
"""

from __future__ import annotations

import threading

from apps.pages.per_process import PerProcess

computing_lock = PerProcess(threading.Lock)
