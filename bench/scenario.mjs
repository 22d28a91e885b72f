// The process that run.mjs starts: one scenario, with code that nobody else has warmed up or polluted.
// Gets `{ name, scenario, pace }` as JSON in its argument and sends the result to its parent.
const { name, scenario, pace } = JSON.parse(process.argv[2]);
const { run } = await import(`./cases/${name}.mjs`);
process.send(await run(scenario, pace));
process.disconnect();
