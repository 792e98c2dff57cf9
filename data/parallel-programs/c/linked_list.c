#include <stdio.h>
#include <stdlib.h>

#define MAX_LENGTH 64

typedef struct Node {
  int value;
  struct Node *next_node;
} Node;

typedef struct {
  Node *head;
} LinkedList;

static void list_push(LinkedList *list, int value) {
  Node *node = malloc(sizeof(*node));
  if (node == NULL) {
    perror("malloc");
    exit(EXIT_FAILURE);
  }
  node->value = value;
  node->next_node = list->head;
  list->head = node;
}

static void list_reverse(LinkedList *list) {
  Node *previous = NULL;
  Node *node = list->head;
  while (node != NULL) {
    Node *following = node->next_node;
    node->next_node = previous;
    previous = node;
    node = following;
  }
  list->head = previous;
}

static void list_describe(const LinkedList *list, char *result, size_t size) {
  const Node *node = list->head;
  size_t length = 0;
  result[0] = '\0';
  while (node != NULL && length < size) {
    length += snprintf(result + length, size - length, "%s%d",
                       length > 0 ? " -> " : "", node->value);
    node = node->next_node;
  }
}

static void list_free(LinkedList *list) {
  while (list->head != NULL) {
    Node *node = list->head;
    list->head = node->next_node;
    free(node);
  }
}

int main(void) {
  LinkedList numbers = {NULL};
  char description[MAX_LENGTH];
  for (int value = 1; value < 6; value++) {
    list_push(&numbers, value);
  }
  list_describe(&numbers, description, sizeof(description));
  puts(description);
  list_reverse(&numbers);
  list_describe(&numbers, description, sizeof(description));
  puts(description);
  list_free(&numbers);
  return EXIT_SUCCESS;
}
