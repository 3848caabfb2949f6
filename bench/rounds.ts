/** Runs one warm-up round and then `rounds`, in which the subjects take turns. Returns a list of samples per subject. */
export async function interleave<Subject, Sample>(
  subjects: readonly Subject[],
  rounds: number,
  measure: (subject: Subject) => Promise<Sample>,
): Promise<Sample[][]> {
  const samples: Sample[][] = subjects.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [at, subject] of subjects.entries()) {
      const sample = await measure(subject);
      if (round > 0) samples[at]?.push(sample);
    }
  }
  return samples;
}
