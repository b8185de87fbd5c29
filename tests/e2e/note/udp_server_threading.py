import socketserver
class MyRequestHandler(socketserver.BaseRequestHandler):
    def handle(self): # 处理通信
        data,server=self.request
        server.sendto(data.upper(),self.client_address)
if __name__ == '__main__':
    s = socketserver.ThreadingUDPServer(('127.0.0.1', 8080), MyRequestHandler, bind_and_activate=True)
    s.serve_forever()
