#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LENGTH 64

static bool is_operator(const char *symbol) {
  return strcmp(symbol, "+") == 0 || strcmp(symbol, "-") == 0 ||
         strcmp(symbol, "*") == 0;
}

static bool evaluate(const char *expression, int *result) {
  char buffer[MAX_LENGTH];
  int stack[MAX_LENGTH];
  int depth = 0;
  snprintf(buffer, sizeof(buffer), "%s", expression);
  for (char *symbol = strtok(buffer, " "); symbol != NULL;
       symbol = strtok(NULL, " ")) {
    if (is_operator(symbol)) {
      if (depth < 2) {
        return false;
      }
      int right = stack[--depth];
      int left = stack[--depth];
      switch (symbol[0]) {
        case '+':
          stack[depth++] = left + right;
          break;
        case '-':
          stack[depth++] = left - right;
          break;
        default:
          stack[depth++] = left * right;
          break;
      }
    } else {
      char *end;
      stack[depth++] = (int)strtol(symbol, &end, 10);
      if (*end != '\0') {
        return false;
      }
    }
  }
  if (depth == 0) {
    return false;
  }
  *result = stack[--depth];
  return true;
}

int main(void) {
  const char *expressions[] = {"3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"};
  for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
    int result;
    if (evaluate(expressions[i], &result)) {
      printf("%s = %d\n", expressions[i], result);
    } else {
      printf("%s is malformed\n", expressions[i]);
    }
  }
  return 0;
}
