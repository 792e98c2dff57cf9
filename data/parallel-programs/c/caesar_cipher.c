#include <stdio.h>
#include <string.h>

static const char ALPHABET[] = "abcdefghijklmnopqrstuvwxyz";

static char shift_letter(char letter, size_t distance) {
  const char *found = strchr(ALPHABET, letter);
  if (found == NULL) {
    return letter;
  }
  size_t position = found - ALPHABET;
  return ALPHABET[(position + distance) % strlen(ALPHABET)];
}

static void encode(const char *text, size_t distance, char *result) {
  while (*text != '\0') {
    *result++ = shift_letter(*text++, distance);
  }
  *result = '\0';
}

int main(void) {
  const char text[] = "attack at dawn, bring a zebra";
  char secret[sizeof(text)];
  char restored[sizeof(text)];
  encode(text, 3, secret);
  puts(secret);
  encode(secret, 26 - 3, restored);
  puts(restored);
  return 0;
}
