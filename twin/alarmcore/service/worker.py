"""A worker's process, started by ``twin core serve``."""

import sys

from twin.alarmcore.service.serve import worker_main

if __name__ == "__main__":
    sys.exit(worker_main())
