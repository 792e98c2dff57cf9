#include <stdio.h>
#include <stdlib.h>

typedef enum { LIGHT_RED, LIGHT_GREEN, LIGHT_YELLOW } Light;

static const char *const LIGHT_NAMES[] = {"red", "green", "yellow"};

static Light next_light(Light light) {
  switch (light) {
    case LIGHT_RED:
      return LIGHT_GREEN;
    case LIGHT_GREEN:
      return LIGHT_YELLOW;
    case LIGHT_YELLOW:
      return LIGHT_RED;
  }
  abort();
}

static int seconds(Light light) {
  switch (light) {
    case LIGHT_RED:
      return 30;
    case LIGHT_GREEN:
      return 25;
    case LIGHT_YELLOW:
      return 5;
  }
  abort();
}

int main(void) {
  Light light = LIGHT_RED;
  int elapsed = 0;
  do {
    printf("second %d: %s\n", elapsed, LIGHT_NAMES[light]);
    elapsed += seconds(light);
    light = next_light(light);
  } while (elapsed <= 120);
  return 0;
}
