def count_words(text):
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def main():
    text = "The cat saw the dog and the dog saw the bird"
    counts = count_words(text)
    for word in sorted(counts):
        if counts[word] > 1:
            print(f"{word}: {counts[word]}")
    print(f"different words: {len(counts)}")


if __name__ == "__main__":
    main()
