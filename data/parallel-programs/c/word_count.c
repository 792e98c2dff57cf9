#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 32

typedef struct {
  const char *word;
  int count;
} WordCount;

static int compare_words(const void *left, const void *right) {
  const WordCount *first = left;
  const WordCount *second = right;
  return strcmp(first->word, second->word);
}

static void to_lower(char *text) {
  for (; *text != '\0'; text++) {
    *text = (char)tolower((unsigned char)*text);
  }
}

static int count_words(char *text, WordCount *counts) {
  int size = 0;
  to_lower(text);
  for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
    int index = 0;
    while (index < size && strcmp(counts[index].word, word) != 0) {
      index++;
    }
    if (index == size) {
      counts[size].word = word;
      counts[size].count = 0;
      size++;
    }
    counts[index].count++;
  }
  return size;
}

int main(void) {
  char text[] = "The cat saw the dog and the dog saw the bird";
  WordCount counts[MAX_WORDS];
  int size = count_words(text, counts);
  qsort(counts, size, sizeof(counts[0]), compare_words);
  for (int i = 0; i < size; i++) {
    if (counts[i].count > 1) {
      printf("%s: %d\n", counts[i].word, counts[i].count);
    }
  }
  printf("different words: %d\n", size);
  return 0;
}
