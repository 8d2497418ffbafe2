/* One answer to everybody: without a length, with bare line feeds, and over when the connection is. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *answer(void *argument)
{
    static const char text[] = "HTTP/1.0 200 ok\n\n<html><h1>Welcome to my http server!</h1><html>\n";
    int connection = (int)(intptr_t)argument;
    char request[4096];

    if (read(connection, request, sizeof request) > 0 && write(connection, text, strlen(text)) < 0)
        _exit(2);
    close(connection);
    return NULL;
}

int main(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(8080) };
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 5) < 0)
        return 1;
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        pthread_t thread;

        if (connection >= 0 && pthread_create(&thread, NULL, answer, (void *)(intptr_t)connection) == 0)
            pthread_detach(thread);
    }
}
