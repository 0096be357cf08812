// Waiting for a condition instead of sleeping: asks every few milliseconds until it holds or the time is over.

const STEP_MS = 5;

export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
  limitMs = 8000,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited ${limitMs} ms for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
