"""A program on a terminal of its own."""
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading


class Terminal:
    def __init__(self, command, env, columns, rows=24):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(command, env={**env, "TERM": "xterm"}, stdin=theirs, stdout=theirs,
                                        stderr=theirs, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.said = b""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        try:
            while piece := os.read(self.ours, 65536):
                self.said += piece
        except OSError:  # nobody has it open any more
            pass

    def type(self, keys):
        os.write(self.ours, keys)

    def hang_up(self):
        """As when its window is closed."""
        os.killpg(self.process.pid, 1)

    def wait(self):
        """All that it said."""
        self.process.wait()
        self.reader.join()
        os.close(self.ours)
        self.code = self.process.returncode
        return self.said.decode(errors="replace")
