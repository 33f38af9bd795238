import subprocess as sp

sp.Popen('/usr/bin/env redis-cli get x', shell=True)
