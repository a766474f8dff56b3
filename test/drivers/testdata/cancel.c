/* Connects with libpq 18, says what was agreed, and cancels a statement of its own
 * as psql 18 does: over an encrypted connection, with a key of protocol 3.2.
 * Declared here, since the package brings no headers. */
#include <stdio.h>
#include <unistd.h>

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef struct pg_cancel_conn PGcancelConn;

PGconn *PQconnectdb(const char *conninfo);
int PQstatus(const PGconn *conn);
char *PQerrorMessage(const PGconn *conn);
int PQfullProtocolVersion(const PGconn *conn);
int PQsslInUse(PGconn *conn);
int PQsendQuery(PGconn *conn, const char *query);
PGcancelConn *PQcancelCreate(PGconn *conn);
int PQcancelBlocking(PGcancelConn *cancel);
char *PQcancelErrorMessage(const PGcancelConn *cancel);
void PQcancelFinish(PGcancelConn *cancel);
PGresult *PQgetResult(PGconn *conn);
PGresult *PQexec(PGconn *conn, const char *query);
char *PQgetvalue(const PGresult *res, int row, int column);
char *PQresultErrorField(const PGresult *res, int field);
void PQfinish(PGconn *conn);

int main(int argc, char **argv)
{
	PGconn *conn = PQconnectdb(argv[1]);

	if (PQstatus(conn) != 0) {
		fputs(PQerrorMessage(conn), stderr);
		return 1;
	}
	printf("version %d, tls %d\n", PQfullProtocolVersion(conn), PQsslInUse(conn));
	PQexec(conn, "SELECT 1"); /* What a session looks up once is behind us. */
	PQsendQuery(conn, "SELECT pg_sleep(60)");
	usleep(200000); /* A request that comes before the statement cancels nothing, here as there. */

	PGcancelConn *cancel = PQcancelCreate(conn);

	if (!PQcancelBlocking(cancel)) {
		fputs(PQcancelErrorMessage(cancel), stderr);
		return 1;
	}
	PQcancelFinish(cancel);
	for (PGresult *res; (res = PQgetResult(conn)) != NULL;) {
		const char *state = PQresultErrorField(res, 'C');

		printf("cancelled %s\n", state ? state : "nothing");
	}
	printf("then %s\n", PQgetvalue(PQexec(conn, "SELECT 'usable'"), 0, 0));
	PQfinish(conn);
	return 0;
}
