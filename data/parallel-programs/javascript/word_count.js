function countWords(text) {
  const counts = new Map();
  for (const word of text.toLowerCase().split(" ")) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function main() {
  const text = "The cat saw the dog and the dog saw the bird";
  const counts = countWords(text);
  for (const word of [...counts.keys()].sort()) {
    if (counts.get(word) > 1) {
      console.log(`${word}: ${counts.get(word)}`);
    }
  }
  console.log(`different words: ${counts.size}`);
}

main();
