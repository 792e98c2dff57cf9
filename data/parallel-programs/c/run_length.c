#include <stdio.h>
#include <string.h>

#define MAX_LENGTH 32

static void encode(const char *text, char *result) {
  size_t index = 0;
  while (text[index] != '\0') {
    size_t run = 1;
    while (text[index + run] == text[index]) {
      run++;
    }
    result += sprintf(result, "%c%zu", text[index], run);
    index += run;
  }
  *result = '\0';
}

static void decode(const char *code, char *result) {
  while (*code != '\0') {
    size_t run = code[1] - '0';
    memset(result, code[0], run);
    result += run;
    code += 2;
  }
  *result = '\0';
}

int main(void) {
  const char *texts[] = {"aaabccdddd", "x", "zzzzzz"};
  char code[MAX_LENGTH];
  char restored[MAX_LENGTH];
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    encode(texts[i], code);
    decode(code, restored);
    const char *answer = strcmp(restored, texts[i]) == 0 ? "yes" : "no";
    printf("%s becomes %s, restored: %s\n", texts[i], code, answer);
  }
  return 0;
}
