#include <stdio.h>
#include <string.h>

#define PLACES 6
#define UNSEEN (-2)
#define NOWHERE (-1)

static int shortest_path(const char *const *graph, int start, int goal,
                         int *path) {
  int queue[PLACES];
  int came_from[PLACES];
  int first = 0;
  int last = 0;
  for (int place = 0; place < PLACES; place++) {
    came_from[place] = UNSEEN;
  }
  queue[last++] = start;
  came_from[start] = NOWHERE;
  while (first < last) {
    int place = queue[first++];
    if (place == goal) {
      break;
    }
    for (const char *name = graph[place]; *name != '\0'; name++) {
      int neighbour = *name - 'A';
      if (came_from[neighbour] == UNSEEN) {
        came_from[neighbour] = place;
        queue[last++] = neighbour;
      }
    }
  }
  if (came_from[goal] == UNSEEN) {
    return 0;
  }
  int length = 0;
  for (int place = goal; place != NOWHERE; place = came_from[place]) {
    memmove(path + 1, path, length * sizeof(path[0]));
    path[0] = place;
    length++;
  }
  return length;
}

int main(void) {
  const char *const graph[PLACES] = {"BC", "AD", "AD", "BCE", "D", ""};
  const char goals[] = {'E', 'A', 'F'};
  for (size_t i = 0; i < sizeof(goals) / sizeof(goals[0]); i++) {
    int path[PLACES];
    int length = shortest_path(graph, 0, goals[i] - 'A', path);
    printf("A to %c:", goals[i]);
    if (length == 0) {
      printf(" no path");
    }
    for (int step = 0; step < length; step++) {
      printf(" %c", 'A' + path[step]);
    }
    putchar('\n');
  }
  return 0;
}
