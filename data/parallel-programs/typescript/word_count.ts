function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().split(" ")) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function main(): void {
  const text = "The cat saw the dog and the dog saw the bird";
  const counts = countWords(text);
  for (const word of [...counts.keys()].sort()) {
    if (counts.get(word)! > 1) {
      console.log(`${word}: ${counts.get(word)}`);
    }
  }
  console.log(`different words: ${counts.size}`);
}

main();
