import socketserver
class MyRequestHandler(socketserver.BaseRequestHandler):
    def handle(self): # 处理通信
        print(self.client_address)
        while True:
            try:
                data = self.request.recv(1024) # self.request=>conn
                if len(data) == 0: break
                self.request.send(data.upper())
            except Exception:
                break
        self.request.close()
if __name__ == '__main__':
    s = socketserver.ThreadingTCPServer(('127.0.0.1', 8080), MyRequestHandler, bind_and_activate=True)
    s.serve_forever()
