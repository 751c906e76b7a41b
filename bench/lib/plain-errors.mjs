// For its effect: an error that says what to do is one line, not a stack.
const PLAIN = new Set(['LabDataError']);

process.on('uncaughtException', (error) => {
  console.error(PLAIN.has(error?.name) ? error.message : error);
  process.exit(1);
});
