import { useCallback, useMemo, useState } from "react";

function countWords(text) {
  const counts = new Map();
  for (const word of text.toLowerCase().split(" ")) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function TextBox({ value, onChange }) {
  return <textarea value={value} onChange={onChange} />;
}

export default function WordCount() {
  const [text, setText] = useState(
    "The cat saw the dog and the dog saw the bird",
  );
  const counts = useMemo(() => countWords(text), [text]);
  const handleChange = useCallback((event) => setText(event.target.value), []);
  const words = [...counts.keys()].sort();

  return (
    <>
      <TextBox value={text} onChange={handleChange} />
      <ul>
        {words
          .filter((word) => counts.get(word) > 1)
          .map((word) => (
            <li key={word}>
              {word}: {counts.get(word)}
            </li>
          ))}
        <li>different words: {counts.size}</li>
      </ul>
    </>
  );
}
