/**
 * A program for guests, in Python: listens on port 8000, counts requests in its memory, echoes short WebSocket messages
 * (RFC 6455), and answers nonsense when it is asked for it.
 */
export const ECHO_SERVER = `
import base64, hashlib, socket, threading
count = 0
def read(file, n):
    data = file.read(n)
    if len(data) < n: raise SystemExit
    return data
def serve(connection):
    global count
    file = connection.makefile("rwb")
    path = file.readline().split()[1].decode()
    headers = {}
    while (line := file.readline().strip()):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    if path == "/nonsense":
        file.write(b"nonsense\\r\\n\\r\\n")
    elif headers.get("upgrade") == "websocket":
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
        file.write(b"HTTP/1.1 101 Yes\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n")
        file.flush()
        while True:
            head = read(file, 2)
            mask = read(file, 4)
            text = bytes(b ^ mask[i % 4] for i, b in enumerate(read(file, head[1] & 127)))
            file.write(bytes([0x81, len(text) + 5]) + b"echo " + text)
            file.flush()
    else:
        count += 1
        body = f"request {count} to {headers['host']}".encode()
        file.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + body)
    file.close()
    connection.close()
server = socket.create_server(("", 8000))
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
`;
