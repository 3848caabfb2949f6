// Loaded before a server's program: its time of day is an hour ahead of that of this machine.
const now = Date.now;
Date.now = () => now() + 3_600_000;
