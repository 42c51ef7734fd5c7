/** TEST_SEED replays a run, as far as anything that is killed at random moments can be replayed. */
export const chaosSeed = Number(process.env['TEST_SEED'] ?? 20_261_121);
