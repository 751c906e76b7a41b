process.kill(process.pid, 'SIGILL');
